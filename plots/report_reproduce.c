/* The commands that make the numbers again. */
#include "plots/report_internal.h"

#include "plots/html.h"

void report_reproduce(struct report *r)
{
    struct strbuf s = STRBUF_INIT;
    size_t kinds = 0;
    const char *commit = report_fact(r, "commit", &kinds), *file = report_experiment(r, "file");
    const char *ran = report_fact(r, "command_line", NULL);
    if (kinds > 0)
        strbuf_addf(&s, "git checkout %s%s\nmake\n", commit,
                    kinds > 1 ? "   # one of several, see Environment" : "");
    if (ran[0] != 0)
        strbuf_addf(&s, "%s\n", ran);
    else if (file[0] != 0)
        strbuf_addf(&s, "./vittm run %s\n", file);
    if (r->options->command != NULL)
        strbuf_addf(&s, "%s\n", r->options->command);
    if (s.len > 0) {
        html_section(r->out, "reproduce", "To reproduce");
        strbuf_adds(r->out, "<pre>");
        html_text(r->out, s.text);
        strbuf_adds(r->out, "</pre>");
        html_section_end(r->out);
    }
    strbuf_release(&s);
}
