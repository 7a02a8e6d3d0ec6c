/* UTF-8 text on a terminal. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that text begins with (shortest form, no surrogates), 0 if it is none.
 * code may be NULL. */
size_t utf8_character(const char *text, uint32_t *code);

/* Columns that len bytes take: two a wide character (East Asian, pictures), none one that combines
 * with the character before it, one each other. A byte that is no character takes one. */
size_t utf8_columns(const char *text, size_t len);

/* Bytes of the longest beginning of text, in whole characters with what combines with them, that
 * takes at most so many columns. */
size_t utf8_fit(const char *text, size_t columns);

/* Bytes of the first line where text is broken to so many columns: it ends before a blank where it
 * has one. The blanks between two lines belong to neither. */
size_t utf8_line(const char *text, size_t columns);

#endif
