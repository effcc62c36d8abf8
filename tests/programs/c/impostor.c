/* What is put in place of a running program's file: other functions at the same addresses. */
#include "burn.h"

NOIPA uint64_t impostor_1(void) { return burn_loop(1); }
NOIPA uint64_t impostor_2(void) { return burn_loop(2); }
NOIPA uint64_t impostor_3(void) { return burn_loop(3); }
NOIPA uint64_t impostor_4(void) { return burn_loop(4); }

int main(void)
{
	return (int)(impostor_1() + impostor_2() + impostor_3() + impostor_4());
}
