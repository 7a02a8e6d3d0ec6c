/* Where a data set lies on disk. */
#ifndef DATA_FIND_H
#define DATA_FIND_H

struct config;
struct dataset_kind;
struct error;
struct strbuf;

/* The folder of k, known by k->probe: ROOT/<k->folder> or ROOT itself for a data.root that
 * was set, ROOT/<k->folder> alone for those that "auto" stands for. The caller frees *path. A set
 * that is nowhere is EXIT_ENVIRONMENT, with the command that brings it. */
int find_folder(const struct dataset_kind *k, const struct config *c, char **path,
                struct error *err);

/* A folder within the set, named by a key ("data.train_folder"; a dot means the root itself); adds
 * to path. The root is found like that of find_folder, but that of kinds without a probe must have
 * been set. */
int find_subfolder(const struct dataset_kind *k, const struct config *c, const char *key,
                   struct strbuf *path, struct error *err);

/* ROOT/<folder>, where probe or probe.gz is in it, else NULL. The caller frees it. */
char *find_below_new(const char *root, const char *folder, const char *probe);

/* Whether an archive of k (ROOT/cifar10.tar.xz) lies in root: its path. */
int find_packed(const struct dataset_kind *k, const char *root, struct strbuf *path);

#endif
