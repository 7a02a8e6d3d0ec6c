/* Under what circumstances speeds were measured: a latency without its batch, precision, threads
 * and device says nothing. */
#ifndef PLOTS_PROTOCOL_H
#define PLOTS_PROTOCOL_H

struct plot_data;
struct strbuf;

/* For a title: ", batch 64, fp32, 1 thread", as far as all measured values of the metric share it;
 * of the published ones where there are no others. Nothing for a metric that is not measured so. */
void protocol_title(const struct plot_data *d, const char *metric, struct strbuf *out);
/* For a caption: " Measured: batch 64, fp32, 1 thread, NAME of the device." and "Published: …";
 * what differs is said to. */
void protocol_caption(const struct plot_data *d, const char *metric, struct strbuf *out);

#endif
