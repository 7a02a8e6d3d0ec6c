/* Which decoder reads which bytes. */
#include "data/codec.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "data/codec_formats.h"

struct format {
    const char *signature;
    size_t length;
    int (*decode)(const unsigned char *data, size_t size, const char *name,
                  const struct codec_window *window, struct image *out, struct error *err);
};

static const struct format formats[] = {
    {"\xff\xd8", 2, jpeg_decode},
    {"\x89PNG\r\n\x1a\n", 8, png_decode},
};

int codec_check_size(unsigned long width, unsigned long height, const char *name, struct error *err)
{
    if (width == 0 || height == 0)
        return error_env(err, "%s: image of %lu x %lu pixels", name, width, height);
    if (width > IMAGE_MAX_PIXELS || height > IMAGE_MAX_PIXELS / width)
        return error_env(err, "%s: image of %lu x %lu pixels is too large (at most %d megapixels)",
                         name, width, height, IMAGE_MAX_PIXELS >> 20);
    return 0;
}

static int decode_part(const void *data, size_t size, const char *name,
                       const struct codec_window *window, struct image *out, struct error *err)
{
    const unsigned char *p = data;
    if (size == 0)
        return error_env(err, "%s: the file is empty", name);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (size >= formats[i].length && !memcmp(p, formats[i].signature, formats[i].length))
            return formats[i].decode(p, size, name, window, out, err);
    return error_env(err, "%s: neither JPEG nor PNG (its first bytes are %02x %02x)", name, p[0],
                     size > 1 ? p[1] : 0);
}

int codec_decode(const void *data, size_t size, const char *name, struct image *out,
                 struct error *err)
{
    return decode_part(data, size, name, NULL, out, err);
}

int codec_load_part(const char *path, const struct codec_window *window, struct image *out,
                    struct error *err)
{
    struct file_map m;
    if (file_map(&m, path, err))
        return -1;
    int rc = decode_part(m.data, m.size, path, window, out, err);
    file_unmap(&m);
    return rc;
}

int codec_load(const char *path, struct image *out, struct error *err)
{
    return codec_load_part(path, NULL, out, err);
}

int codec_load_labels(const char *path, enum label_kind kind, struct image *out, struct error *err)
{
    struct file_map m;
    if (file_map(&m, path, err))
        return -1;
    int rc = m.size == 0 ? error_env(err, "%s: the file is empty", path)
                         : png_decode_labels(m.data, m.size, path, kind, out, err);
    file_unmap(&m);
    return rc;
}
