/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model that cannot get to where it could go wrong proves nothing: with
 * -DCOVER=n, spin has to find a way to the place that says REACH(n).
 */
#ifdef COVER
#define REACH(n)	assert(n != COVER)
#else
#define REACH(n)	skip
#endif
