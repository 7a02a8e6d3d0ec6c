/* Columns of UTF-8 text: wide and combining characters, stray bytes, cuts between characters. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        uint32_t code;
    } good[] = {
        {"a", 1, 'a'}, {"\u00b1", 2, 0xb1}, {"\u2026", 3, 0x2026}, {"\U0001f600", 4, 0x1f600}};
    static const char *const bad[] = {"\x80",         "\xc0\x80",         "\xe0\x80\x80",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
                                      "\xe2\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint32_t code = 0;
        assert_int_equal(utf8_character(good[i].text, &code), good[i].bytes);
        assert_int_equal(code, good[i].code);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(utf8_character(bad[i], NULL), 0);
}

static void columns(const char *text, size_t n)
{
    assert_int_equal(utf8_columns(text, strlen(text)), n);
}

static void test_columns(void **state)
{
    (void)state;
    columns("", 0);
    columns("12.50 \u00b1 3.54", 12);
    columns("Gr\u00f6\u00dfe", 5);
    columns("Gro\u0308\u00dfe", 5); /* the same, composed of two */
    columns("\u6f22\u5b57", 4);
    columns("\ud55c\uae00 \uff21", 7);
    columns("\U0001f600", 2);
    columns("a\x80\xff", 3);
    columns("0123456\u6f22", 9); /* around the eight bytes that are measured at once */
    columns("01234567\u6f22", 10);
    columns("0123456789abcdef", 16);
}

static void test_fit(void **state)
{
    (void)state;
    assert_int_equal(utf8_fit("abc", 5), 3);
    assert_int_equal(utf8_fit("abc", 2), 2);
    assert_int_equal(utf8_fit("\u6f22\u5b57", 3), 3); /* half of a character is none */
    assert_int_equal(utf8_fit("\u6f22\u5b57", 4), 6);
    assert_int_equal(utf8_fit("o\u0308x", 1), 3); /* the mark stays with its letter */
    assert_int_equal(utf8_fit("x", 0), 0);
}

static void test_line(void **state)
{
    (void)state;
    assert_int_equal(utf8_line("one two", 7), 7);
    assert_int_equal(utf8_line("one two", 6), 3);
    assert_int_equal(utf8_line("one two", 3), 3);
    assert_int_equal(utf8_line("onetwo", 4), 4); /* no blank: wherever it must */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_line),
    };
    return cmocka_run_group_tests_name("base/utf8", tests, NULL, NULL);
}
