/* build.h - which build of the program this is: a number that changes when the program
 * does. */
#ifndef FISH_BUILD_H
#define FISH_BUILD_H

#include <stdint.h>

/* Of the main executable: its GNU build id hashed, or where the linker gave none its
 * bytes. */
uint64_t build_id(void);

#endif
