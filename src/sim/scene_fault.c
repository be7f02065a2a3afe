/* scene_fault.c - chance, and what goes wrong by it.
 *
 * Invariant: every fault is drawn from one stream that the seed begins, in the order of events. Surprise: the
 * ids of flows are not drawn from it. They count up with the durable flows, so that a START that was
 * lost and is made again has the same id, and with it the same keys, URLs and fish_random. */
#include "sim/scene.h"

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t scene_below(fish_sim *s, uint32_t n)
{
	s->chance += UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(mix(s->chance) % n);
}

bool scene_percent(fish_sim *s, uint32_t percent)
{
	return percent && scene_below(s, 100) < percent;
}

int64_t scene_delay(fish_sim *s)
{
	int64_t most_ms = s->options->delay_ms;

	if (most_ms <= 0)
		return 0;
	return scene_below(s, most_ms < UINT32_MAX ? (uint32_t)most_ms + 1 : UINT32_MAX);
}

enum fault scene_fault(fish_sim *s)
{
	const fish_sim_options *o = s->options;

	if (s->writes == o->crash_at)
		return o->crash_keeps ? FAULT_KEPT : FAULT_LOST;
	if (s->writes == o->store_fails_at)
		return FAULT_ROLLED_BACK;
	if (scene_percent(s, o->crash_percent))
		return scene_below(s, 2) ? FAULT_KEPT : FAULT_LOST;
	return scene_percent(s, o->store_fails_percent) ? FAULT_ROLLED_BACK : FAULT_NONE;
}

/* Two bytes that count, so that ids of one millisecond sort by age; the others are of the seed. */
void scene_entropy(void *owner, void *bytes, size_t len)
{
	fish_sim *s = owner;
	uint64_t n = ++s->drawn;
	uint64_t rest = mix(s->options->seed ^ mix(n));
	uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		b[i] = i < 2 ? (uint8_t)(n >> 8 * (1 - i)) : (uint8_t)(rest >> 8 * (i % 8));
}
