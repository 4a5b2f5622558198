/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum verdict { OK, NOTE, PROBLEM };

/* A finding; remedy: NULL if there is nothing to do. */
void found(enum verdict v, const char *check, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The first bytes of a file below the root, less the newline; false: unreadable. */
bool slurp(const char *path, char *to, size_t size);
extern const char *root;

const char *family_name(unsigned int family);
unsigned int check_kernel(void);
void check_unit(const char *unit, unsigned int family);

#endif
