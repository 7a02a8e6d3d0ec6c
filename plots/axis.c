#include "plots/axis.h"

#include <math.h>
#include <stdio.h>

#include "base/strbuf.h"
#include "plots/gnuplot.h"
#include "plots/style.h"

/* The least of 1, 2, 5 times a power of ten that is at least x. */
static double round_step(double x)
{
    double power = pow(10, floor(log10(x)));
    double part = x / power;
    return (part <= 1.0000001 ? 1 : part <= 2.0000001 ? 2 : part <= 5.0000001 ? 5 : 10) * power;
}

static void set_step(struct axis *a, double span)
{
    a->step = round_step(span / 6.5);
    a->decimals = (int)fmax(0, ceil(-log10(a->step) - 1e-9));
}

static void widen(double *low, double *high)
{
    if (*high > *low)
        return;
    double by = *low != 0 ? fabs(*low) * 0.05 : 1;
    *low -= by;
    *high += by;
}

void axis_fit(struct axis *a, double low, double high, double margin, int may_log)
{
    *a = (struct axis){.logarithmic = may_log && low > 0 && high / low > 12};
    if (a->logarithmic) {
        double grow = pow(high / low, margin);
        a->low = low / grow;
        a->high = high * grow;
        return;
    }
    double positive = low >= 0;
    widen(&low, &high);
    double free = (high - low) * margin;
    a->low = low - free < 0 && positive ? 0 : low - free;
    a->high = high + free;
    set_step(a, a->high - a->low);
}

double axis_position(const struct axis *a, double value)
{
    if (a->logarithmic)
        return log(value / a->low) / log(a->high / a->low);
    return (value - a->low) / (a->high - a->low);
}

double axis_text_width(const struct axis *a)
{
    char low[48], high[48];
    int decimals = a->logarithmic ? (int)fmax(0, ceil(-log10(a->low))) : a->decimals;
    snprintf(low, sizeof low, "%.*f", decimals, a->low);
    snprintf(high, sizeof high, "%.*f", a->logarithmic ? 0 : decimals, a->high);
    return fmax(gnuplot_text_width(low), gnuplot_text_width(high)) * STYLE_FONT_SIZE;
}

static void log_tics(const struct axis *a, char name, struct strbuf *out)
{
    static const double parts[] = {1, 2, 5};
    double decades = log10(a->high / a->low);
    int used = decades > 3 ? 1 : 3;
    const char *comma = "";
    strbuf_addf(out, "set %ctics nomirror out scale 0.6 textcolor rgb '%s' (", name, STYLE_INK);
    for (int p = (int)floor(log10(a->low)); p <= (int)ceil(log10(a->high)); p++)
        for (int i = 0; i < used; i++) {
            double v = parts[i] * pow(10, p);
            if (v < a->low || v > a->high)
                continue;
            strbuf_addf(out, "%s'%.10g' %.10g", comma, v, v);
            comma = ", ";
        }
    strbuf_adds(out, ")\n");
}

void axis_script(const struct axis *a, char name, struct strbuf *out)
{
    strbuf_addf(out, "set %crange [%.10g:%.10g]\n", name, a->low, a->high);
    if (a->logarithmic) {
        strbuf_addf(out, "set logscale %c\n", name);
        log_tics(a, name, out);
    } else {
        strbuf_addf(out,
                    "unset logscale %c\nset format %c '%%.%df'\nset %ctics nomirror out scale 0.6 "
                    "textcolor rgb '%s' %.10g\n",
                    name, name, a->decimals, name, STYLE_INK, a->step);
    }
}
