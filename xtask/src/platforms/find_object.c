/* The unwinder of gcc, as Debian builds it, asks glibc for the unwind table of a program address.
 * musl has no such function, but its list of loaded objects contains the answer. */

#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stddef.h>

/* The declaration of glibc for 64-bit processors. */
struct dl_find_object {
    unsigned long long flags;
    void *start;
    void *end;
    struct link_map *map;
    void *unwind_table;
    unsigned long long reserved[7];
};

struct search {
    char *wanted;
    struct dl_find_object *result;
};

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    void *table = NULL;
    int here = 0;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        char *start = (char *)info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_GNU_EH_FRAME) {
            table = start;
        } else if (part->p_type == PT_LOAD && search->wanted >= start
                   && search->wanted < start + part->p_memsz) {
            here = 1;
            search->result->start = start;
            search->result->end = start + part->p_memsz;
        }
    }
    if (!here || table == NULL) {
        return 0;
    }
    search->result->flags = 0;
    search->result->map = NULL;
    search->result->unwind_table = table;
    return 1;
}

int _dl_find_object(void *address, struct dl_find_object *result)
{
    struct search search = { address, result };

    return dl_iterate_phdr(look, &search) == 1 ? 0 : -1;
}

/* The unwinder also calls these functions, but through weak references, which do not add them to a
 * static program. These references do. */
__attribute__((used)) static void *const needed[] = {
    (void *)pthread_getspecific, (void *)pthread_key_create,  (void *)pthread_mutex_lock,
    (void *)pthread_mutex_unlock, (void *)pthread_once, (void *)pthread_setspecific,
};
