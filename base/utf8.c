#include "base/utf8.h"

#include <string.h>

struct range {
    uint32_t first, last;
};

/* Unicode's East Asian Width W and F, in runs. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26a1, 0x26a1},
    {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},   {0x274c, 0x274c},
    {0x2753, 0x2757},   {0x2795, 0x2797},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},
    {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f320}, {0x1f32d, 0x1f3fa},
    {0x1f400, 0x1f64f}, {0x1f680, 0x1f6fc}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
};

/* Marks and joiners of common scripts. */
static const struct range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},
    {0x064b, 0x065f}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff},
    {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};

static int is_in(const struct range *ranges, size_t n, uint32_t code)
{
    for (size_t i = 0; i < n && ranges[i].first <= code; i++)
        if (code <= ranges[i].last)
            return 1;
    return 0;
}

static size_t columns_of(uint32_t code)
{
    if (code < combining[0].first)
        return 1;
    if (is_in(combining, sizeof combining / sizeof *combining, code))
        return 0;
    return is_in(wide, sizeof wide / sizeof *wide, code) ? 2 : 1;
}

size_t utf8_character(const char *text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text;
    size_t n = *p < 0x80             ? 1
               : (*p & 0xe0) == 0xc0 ? 2
               : (*p & 0xf0) == 0xe0 ? 3
               : (*p & 0xf8) == 0xf0 ? 4
                                     : 0;
    if (n == 0)
        return 0;
    uint32_t c = n == 1 ? *p : *p & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    if (code)
        *code = c;
    return n;
}

/* Bytes of the first character and its columns. */
static size_t step(const char *text, size_t *columns)
{
    uint32_t code = 0;
    size_t n = utf8_character(text, &code);
    *columns = n ? columns_of(code) : 1;
    return n ? n : 1;
}

/* Bytes before the first one that is not ASCII. Listings measure hundreds of thousands of texts,
 * and almost all of them are ASCII throughout. */
static size_t ascii_run(const char *text, size_t len)
{
    size_t n = 0;
    for (uint64_t word; n + sizeof word <= len; n += sizeof word) {
        memcpy(&word, text + n, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    while (n < len && !(text[n] & 0x80))
        n++;
    return n;
}

size_t utf8_columns(const char *text, size_t len)
{
    size_t at = ascii_run(text, len), sum = at, columns;
    while (at < len) {
        at += step(text + at, &columns);
        sum += columns;
    }
    return sum;
}

size_t utf8_fit(const char *text, size_t columns)
{
    size_t at = 0, used = 0, more;
    while (text[at]) {
        size_t n = step(text + at, &more);
        if (used + more > columns)
            break;
        used += more;
        at += n;
    }
    return at;
}

size_t utf8_line(const char *text, size_t columns)
{
    size_t fits = utf8_fit(text, columns), n = fits;
    while (text[fits] && n > 0 && (unsigned char)text[n] > ' ')
        n--;
    return n > 0 ? n : fits;
}
