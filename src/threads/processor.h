/* What the processor at hand has, for the table of instruction sets in isa.h. GCC's own way to ask,
 * __builtin_cpu_supports, needs its library: linked with another it answers no. */
#ifndef CNNKIT_PROCESSOR_H
#define CNNKIT_PROCESSOR_H

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>

/* Bits of ECX on CPUID's leaf 1, of EBX on its leaf 7, and of the registers that the system saves
 * (XCR0), after Intel's Software Developer's Manual, volumes 1 (14.3, 15.2) and 2 (CPUID). */
enum { FMA = 1u << 12, OSXSAVE = 1u << 27 };
#define AVX2 (1u << 5)
#define AVX512F (1u << 16)
#define AVX512DQ (1u << 17)
#define AVX512BW (1u << 30)
#define AVX512VL (1u << 31)
enum { YMM = 0x06, ZMM = 0xe6 };

/* whether all these bits are set, and the system saves the registers that the set computes in */
static int processor_has(unsigned leaf1, unsigned leaf7, unsigned saved)
{
    unsigned eax, ebx, ecx, edx, low, high;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return 0;
    if ((ecx & (leaf1 | OSXSAVE)) != (leaf1 | OSXSAVE)) return 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || (ebx & leaf7) != leaf7) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & saved) == saved;
}

#endif
#endif
