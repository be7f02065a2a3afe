/* rules.h - what each planted bug is called: the model's rules by the model's names, then the engine's own.
 *
 * Invariant: each name in RULES of ../shared/model/model.py stands here (sim_test reads it there), and each
 * bit of enum engine_rule. */
#ifndef RULES_H
#define RULES_H

#include "engine/engine.h"

#include <string.h>

struct planted {
	const char    *name;
	enum engine_rule rule;
	const char    *shown_by;     /* chance does not get there: the test that does; NULL: it does */
};

static const struct planted model_rules[] = {
	{ "ack_after_commit",     RULE_ACK_AFTER_COMMIT,     NULL },
	{ "dup_ack_waits",        RULE_DUP_ACK_WAITS,        NULL },
	{ "neg_waits",            RULE_NEG_WAITS,            NULL },
	{ "dup_before_gone",      RULE_DUP_BEFORE_GONE,      NULL },
	{ "deadline_first_load",  RULE_DEADLINE_FIRST_LOAD,  NULL },
	{ "deadline_first_turn",  RULE_DEADLINE_FIRST_TURN,  NULL },
	{ "deadline_before_resp", RULE_DEADLINE_BEFORE_RESP, NULL },
	{ "progress",             RULE_PROGRESS,             NULL },
	{ "progress_rest",        RULE_PROGRESS_REST,        NULL },
	{ "progress_deadlines",   RULE_PROGRESS_DEADLINES,   NULL },
	{ "progress_time",        RULE_PROGRESS_TIME,        NULL },
	{ "digest",               RULE_DIGEST,               NULL },
	/* Steps are compared one by one: only a journal that no engine wrote has such a hole. */
	{ "once_inside",          RULE_ONCE_INSIDE,          "engine_once_test" },
	{ "short_block",          RULE_SHORT_BLOCK,          NULL },
	{ "effects_held",         RULE_EFFECTS_HELD,         NULL },
	{ "once_durable",         RULE_ONCE_DURABLE,         NULL },
	{ "once_progress",        RULE_ONCE_PROGRESS,        NULL },
	{ "effects_after_commit", RULE_EFFECTS_AFTER_COMMIT, NULL },
	{ "epoch_in_key",         RULE_EPOCH_IN_KEY,         NULL },
	{ "hooknum_lifelong",     RULE_HOOKNUM_LIFELONG,     NULL },
	{ "renew_keeps_seen",     RULE_RENEW_KEEPS_SEEN,     NULL },
	{ "renew_keeps_untaken",  RULE_RENEW_KEEPS_UNTAKEN,  NULL },
	{ "end_waits_calls",      RULE_END_WAITS_CALLS,      NULL },
	{ "indoubt_reload",       RULE_INDOUBT_RELOAD,       NULL },
	{ "patch_memo",           RULE_PATCH_MEMO,           NULL },
	{ "patch_recorded",       RULE_PATCH_RECORDED,       NULL },
	{ "patch_no_step",        RULE_PATCH_NO_STEP,        NULL },
	{ "one_answer",           RULE_ONE_ANSWER,           NULL },
	{ "poll_recorded",        RULE_POLL_RECORDED,        NULL },
	{ "null_closed_recorded", RULE_NULL_CLOSED_RECORDED, NULL },
	{ "digest_body",          RULE_DIGEST_BODY,          NULL },
	{ "now_max",              RULE_NOW_MAX,              NULL },
	/* The report of a divergence is PROGRESS's, so RESULT needs no label here: nothing to leave out. */
	{ "label_in_entry",       RULES_END,                 "nothing" },
};

static const struct planted own_rules[] = {
	{ "wake_parked",          RULE_WAKE_PARKED,          NULL },
	{ "tell_once",            RULE_TELL_ONCE,            NULL },
	{ "work_attaches",        RULE_WORK_ATTACHES,        NULL },
	{ "reply_kept",           RULE_REPLY_KEPT,           NULL },
	{ "reply_after_commit",   RULE_REPLY_AFTER_COMMIT,   NULL },
	{ "shots_close",          RULE_SHOTS_CLOSE,          NULL },
};

enum {
	MODEL_RULES = sizeof model_rules / sizeof *model_rules,
	OWN_RULES   = sizeof own_rules / sizeof *own_rules,
};

/* NULL: there is none of that name. */
static inline const struct planted *rule_named(const char *name)
{
	for (size_t i = 0; i < MODEL_RULES; i++)
		if (strcmp(model_rules[i].name, name) == 0)
			return &model_rules[i];
	for (size_t i = 0; i < OWN_RULES; i++)
		if (strcmp(own_rules[i].name, name) == 0)
			return &own_rules[i];
	return NULL;
}

/* The first rule of a set; NULL: it is empty. */
static inline const struct planted *rule_of(uint64_t rules)
{
	for (size_t i = 0; i < MODEL_RULES; i++)
		if (model_rules[i].rule != RULES_END && (rules & RULE_BIT(model_rules[i].rule)))
			return &model_rules[i];
	for (size_t i = 0; i < OWN_RULES; i++)
		if (rules & RULE_BIT(own_rules[i].rule))
			return &own_rules[i];
	return NULL;
}

#endif
