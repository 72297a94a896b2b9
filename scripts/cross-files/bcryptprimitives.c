/* Stands in for the library of Windows that gives Rust's standard library its random bytes. wine 8.0 lacks it.
 * Built by scripts/cross into the folder that wine runs our tests in, and nowhere else: Windows has its own. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    while (length > 0) {
        ULONG part = length > 0x10000000 ? 0x10000000 : (ULONG)length;
        /* SystemFunction036 of advapi32. */
        if (!RtlGenRandom(data, part))
            return FALSE;
        data += part;
        length -= part;
    }
    return TRUE;
}
