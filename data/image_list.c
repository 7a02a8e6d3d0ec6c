/* The walk. Links to folders are followed; a folder that contains itself is stopped by the depth
 * limit. */
#include "data/image_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/codec.h"
#include "data/image_cache.h"

#define MAX_DEPTH 32

struct names {
    char **name;
    size_t n, cap;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_release(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->name[i]);
    free(l->name);
}

static void names_add(struct names *l, const char *name)
{
    l->name = mem_grow(l->name, l->n, &l->cap, sizeof *l->name);
    l->name[l->n++] = mem_strdup(name);
}

/* Sorted names of the folders and of the other entries in path. */
static int list(const char *path, struct names *folders, struct names *files, struct error *err)
{
    struct strbuf s = STRBUF_INIT;
    struct dirent *e;
    struct stat st;
    DIR *d = opendir(path);
    if (!d)
        return error_env(err, "%s: %s", path, strerror(errno));
    while ((e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        int is_folder = e->d_type == DT_DIR;
        if (e->d_type == DT_LNK || e->d_type == DT_UNKNOWN) {
            strbuf_clear(&s);
            strbuf_addf(&s, "%s/%s", path, e->d_name);
            is_folder = stat(s.text, &st) == 0 && S_ISDIR(st.st_mode);
        }
        names_add(is_folder ? folders : files, e->d_name);
    }
    closedir(d);
    strbuf_release(&s);
    if (folders->n)
        qsort(folders->name, folders->n, sizeof *folders->name, by_name);
    if (files->n)
        qsort(files->name, files->n, sizeof *files->name, by_name);
    return 0;
}

int image_list_is_image(const char *name)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                       ".pgm", ".tif",  ".tiff", ".webp"};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (n > strlen(ends[i]) && !strcasecmp(name + n - strlen(ends[i]), ends[i]))
            return 1;
    return 0;
}

struct walk {
    struct image_list *list;
    size_t cap_paths, cap_bytes, cap_labels;
    struct strbuf path; /* root/… of where the walk is */
};

static int add_image(struct walk *w, int label, struct error *err)
{
    struct image_list *l = w->list;
    struct stat st;
    size_t n = (size_t)l->n;
    if (stat(w->path.text, &st))
        return error_env(err, "%s: %s", w->path.text, strerror(errno));
    l->paths = mem_grow(l->paths, n, &w->cap_paths, sizeof *l->paths);
    l->bytes = mem_grow(l->bytes, n, &w->cap_bytes, sizeof *l->bytes);
    l->labels = mem_grow(l->labels, n, &w->cap_labels, sizeof *l->labels);
    l->paths[n] = arena_strdup(&l->arena, w->path.text + strlen(l->root) + 1);
    l->bytes[n] = st.st_size;
    l->labels[n] = label;
    l->n++;
    return 0;
}

/* As torchvision walks: the files of a folder come before those of its subfolders. */
static int walk_class(struct walk *w, int label, int depth, struct error *err)
{
    struct names folders = {0}, files = {0};
    size_t length = w->path.len;
    int rc = depth > MAX_DEPTH
                 ? error_env(err, "%s: folders nested deeper than %d", w->path.text, MAX_DEPTH)
                 : list(w->path.text, &folders, &files, err);
    for (size_t i = 0; i < files.n && rc == 0; i++) {
        strbuf_addf(&w->path, "/%s", files.name[i]);
        if (image_list_is_image(files.name[i]))
            rc = add_image(w, label, err);
        strbuf_truncate(&w->path, length);
    }
    for (size_t i = 0; i < folders.n && rc == 0; i++) {
        strbuf_addf(&w->path, "/%s", folders.name[i]);
        rc = walk_class(w, label, depth + 1, err);
        strbuf_truncate(&w->path, length);
    }
    names_release(&folders);
    names_release(&files);
    return rc;
}

static int walk_classes(struct walk *w, const struct names *folders, struct error *err)
{
    struct image_list *l = w->list;
    size_t length = w->path.len;
    for (int k = 0; k < l->n_classes; k++) {
        int64_t before = l->n;
        l->classes[k] = arena_strdup(&l->arena, folders->name[k]);
        strbuf_addf(&w->path, "/%s", folders->name[k]);
        if (walk_class(w, k, 0, err))
            return -1;
        if (l->n == before)
            return error_env(err, "%s: no images (each subfolder is a class)", w->path.text);
        strbuf_truncate(&w->path, length);
    }
    return 0;
}

static int read_classes(struct walk *w, struct error *err)
{
    struct image_list *l = w->list;
    struct names folders = {0}, files = {0};
    int rc = list(l->root, &folders, &files, err);
    if (rc == 0 && folders.n == 0)
        rc = error_env(err, "%s: no class folders (each subfolder is a class)", l->root);
    if (rc == 0) {
        l->n_classes = (int)folders.n;
        l->classes = ARENA_ARRAY(&l->arena, const char *, folders.n);
        rc = walk_classes(w, &folders, err);
    }
    names_release(&folders);
    names_release(&files);
    return rc;
}

static int read_all(struct walk *w, struct error *err)
{
    int rc = walk_class(w, 0, 0, err);
    return rc == 0 && w->list->n == 0 ? error_env(err, "%s: no images in it", w->list->root) : rc;
}

static int start(struct image_list *l, const char *root,
                 int (*read)(struct walk *w, struct error *err), struct error *err)
{
    struct walk w = {.list = l, .path = STRBUF_INIT};
    *l = (struct image_list){.root = mem_strdup(root)};
    strbuf_adds(&w.path, root);
    int rc = read(&w, err);
    strbuf_release(&w.path);
    return rc;
}

int image_list_read_classes(struct image_list *l, const char *root, struct error *err)
{
    return start(l, root, read_classes, err);
}

int image_list_read(struct image_list *l, const char *root, struct error *err)
{
    return start(l, root, read_all, err);
}

void image_list_path(const struct image_list *l, int64_t i, struct strbuf *path)
{
    strbuf_addf(path, "%s/%s", l->root, l->paths[i]);
}

int image_list_load(const struct image_list *l, int64_t i, const struct codec_window *window,
                    struct image *scratch, struct image_view *view, struct error *err)
{
    struct strbuf path = STRBUF_INIT;
    if (l->cache && image_cache_find(l->cache, i, view))
        return 0;
    image_list_path(l, i, &path);
    int rc = codec_load_part(path.text, l->cache ? NULL : window, scratch, err);
    strbuf_release(&path);
    if (rc)
        return -1;
    if (l->cache)
        image_cache_add(l->cache, i, scratch);
    *view = image_view(scratch);
    return 0;
}

void image_list_hash(const struct image_list *l, char hex[65])
{
    struct strbuf s = STRBUF_INIT;
    for (int64_t i = 0; i < l->n; i++)
        strbuf_addf(&s, "%s %lld\n", l->paths[i], (long long)l->bytes[i]);
    file_sha256_bytes(s.text, s.len, hex);
    strbuf_release(&s);
}

void image_list_release(struct image_list *l)
{
    image_cache_free(l->cache);
    arena_release(&l->arena);
    free(l->root);
    free(l->paths);
    free(l->bytes);
    free(l->labels);
    *l = (struct image_list){0};
}
