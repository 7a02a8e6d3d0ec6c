/* Commands. Each is one file cli/cmd_NAME.c that defines `const struct command command_NAME`, and
 * one line in commands.def. The option table is the only description of the command line: it parses
 * it, and --help, the shell completions and the manual page are printed from it.
 *
 *   static const struct option_spec options[] = {
 *       OPTION_DB,                                                   // --db PATH
 *       OPTION_FORMAT,                                               // --format table|csv|...
 *       {.name = "jobs", .letter = 'j', .type = OPTION_INT, .value = "N", .fallback = "0",
 *        .min = 0, .max = 1024, .doc = "runs at a time (0: as many as cores)"},
 *       {.name = "dry-run", .doc = "say what would run"},            // a flag
 *       {0}};
 *
 *   static int run(const struct args *a, struct error *err)
 *   {
 *       int64_t jobs = args_int(a, "jobs");
 *       const char *file = a->operands[0];
 *       ...
 *       return EXIT_FINE;                                            // or -1 with err set
 *   }
 *
 *   const struct command command_run = {
 *       .name = "run", .summary = "...", .operands = "FILE.yaml", ...}; */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdint.h>

struct args;
struct error;
struct strbuf;

enum option_type {
    OPTION_FLAG, /* no value */
    OPTION_TEXT,
    OPTION_INT, /* min..max inclusive where max > min */
    OPTION_FLOAT,
    OPTION_CHOICE, /* one of choice(0), choice(1), … */
    OPTION_LIST    /* text; may be given several times */
};

struct option_spec {
    const char *name; /* without dashes; NULL ends a table */
    char letter;      /* short form, 0 for none */
    enum option_type type;
    const char *value;    /* placeholder in help: "PATH" */
    const char *fallback; /* text used where the option is not given; NULL: none */
    double min, max;
    const char *(*choice)(int i); /* NULL past the last */
    const char *doc;              /* one line, lower case, no full stop */
};

/* What an operand is, for completion. */
enum operand_kind { OPERAND_NONE, OPERAND_FILE, OPERAND_MODEL, OPERAND_COMMAND, OPERAND_WORD };

enum command_flags {
    COMMAND_OVERRIDES = 1, /* operands of the form key=value are collected in args.overrides, those
                              whose key is an option of the command with its values */
    COMMAND_HIDDEN = 2     /* not for people: left out of the list of commands */
};

struct command {
    const char *name;
    const char *group;              /* heading in `vittm help` */
    const char *summary;            /* one line */
    const char *operands;           /* "FILE.yaml [key=value …]"; NULL for none */
    int min_operands, max_operands; /* without overrides; max -1: any number */
    enum operand_kind operand_kind;
    unsigned flags;
    const struct option_spec *options; /* or NULL */
    const char *details;               /* paragraphs for --help and the manual page; or NULL */
    const char *examples;              /* lines "vittm ...    what"; or NULL */
    const char *(*word)(int i);        /* OPERAND_WORD: the words, NULL past the last */
    /* Returns an exit code, or -1 with err set: its message is printed and its code is the exit
     * code. */
    int (*run)(const struct args *a, struct error *err);
};

/* Options that several commands share. */
#define OPTION_DB                                                                                  \
    {                                                                                              \
        .name = "db", .type = OPTION_TEXT, .value = "PATH",                                        \
        .doc = "result database (default: $VITTM_DB, else out/vittm.db)"                           \
    }
#define OPTION_FORMAT                                                                              \
    {                                                                                              \
        .name = "format", .type = OPTION_CHOICE, .value = "FORMAT", .fallback = "table",           \
        .choice = option_format, .doc = "how to print"                                             \
    }
#define OPTION_OUTPUT                                                                              \
    {                                                                                              \
        .name = "output", .letter = 'o', .type = OPTION_TEXT, .value = "FILE",                     \
        .doc = "file to write"                                                                     \
    }
/* --batch, --threads and --device mean the same everywhere; what is taken without them, what 0 and
 * which devices, each command says. */
#define OPTION_BATCH(DOC)                                                                          \
    {                                                                                              \
        .name = "batch", .letter = 'b', .type = OPTION_INT, .value = "N", .min = 1, .max = 65536,  \
        .doc = DOC                                                                                 \
    }
#define OPTION_THREADS(DOC)                                                                        \
    {                                                                                              \
        .name = "threads", .letter = 't', .type = OPTION_INT, .value = "N", .fallback = "0",       \
        .min = 0, .max = 1024, .doc = DOC                                                          \
    }
#define OPTION_DEVICE(VALUE, DOC)                                                                  \
    {                                                                                              \
        .name = "device", .type = OPTION_TEXT, .value = VALUE, .fallback = "auto", .doc = DOC      \
    }
const char *option_format(int i); /* table, csv, json, jsonl, md, latex */

/* A parsed command line. Strings belong to argv or to the option table. */
struct args {
    const struct command *command;
    const char *const *operands;
    int n_operands;
    const char *const *overrides; /* "model.dim=64,96"; see COMMAND_OVERRIDES */
    int n_overrides;
    int color; /* stdout may be coloured: a terminal, no NO_COLOR, no --no-color */
    int argc;  /* the whole command line as typed, for the record */
    char **argv;
    struct args_values *values;
};

/* Values; asking for an option that the command does not declare is a bug of ours. */
int args_flag(const struct args *a, const char *name);
const char *args_text(const struct args *a,
                      const char *name); /* also of a choice; NULL: not given */
int64_t args_int(const struct args *a, const char *name);
double args_float(const struct args *a, const char *name);
int args_given(const struct args *a, const char *name);              /* how often it was typed */
const char *args_nth(const struct args *a, const char *name, int i); /* OPTION_LIST */
const char *args_db(const struct args *a); /* --db, $VITTM_DB, out/vittm.db */

/* Parses argv[2..] against c's table. -1: err says what and the nearest name. args_release after
 * either. */
int args_parse(struct args *a, const struct command *c, int argc, char **argv, struct error *err);
void args_release(struct args *a);
/* The user asked for help (--help or -h anywhere before --). */
int args_wants_help(int argc, char **argv);

/* commands.def, in its order; NULL past the last. */
const struct command *command_at(int i);
const struct command *command_find(const char *name);
/* Nearest command name to a mistyped one, or NULL. */
const char *command_nearest(const char *name);

/* Texts generated from the tables. */
void help_overview(struct strbuf *out);
void help_command(struct strbuf *out, const struct command *c);
void help_manual(struct strbuf *out, const struct command *c); /* roff; c NULL: vittm(1) itself */
/* "  left      right": right begins at column indent and is wrapped; a long left has a line of its
 * own. */
void help_columns(struct strbuf *out, const char *left, const char *right, int indent);
void help_wrap(struct strbuf *out,
               const char *text); /* a paragraph in lines, ends with a newline */
int help_completion(struct strbuf *out, const char *shell); /* bash, zsh, fish; -1: unknown shell */

/* Dispatches; returns the exit code. */
int cli_main(int argc, char **argv);

#endif
