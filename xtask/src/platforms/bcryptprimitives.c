/* Wine 8 lacks this library, which provides the random numbers for Rust's standard library. */

#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length)
{
    const SIZE_T most = 1 << 20;
    while (length > 0) {
        SIZE_T part = length < most ? length : most;
        if (!SystemFunction036(buffer, (ULONG)part)) {
            return FALSE;
        }
        buffer += part;
        length -= part;
    }
    return TRUE;
}
