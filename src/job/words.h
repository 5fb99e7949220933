/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Words of a line as systemd splits them (systemd.service(5), "Command lines"): at blanks, with
 * "…" and '…' and C escapes; no shell, no globs. And command lines: words that are templates, each
 * of which becomes exactly one argument whatever is put into it.
 */

#include "base/text-error.h"
#include "job/template.h"

#define WORDS_MAX 4096U /* words of one line */

/*
 * Takes the next word off *P: 1 with *P behind it and the blanks that follow; 0 where nothing but
 * blanks is left; -EBADMSG with RET_ERROR (may be NULL; its offset counts from START); -ENOMEM.
 * Escapes, inside and outside of quotes: \a \b \f \n \r \t \v \\ \" \' \s (a blank) \; \xHH \OOO
 * \uHHHH \UHHHHHHHH; a NUL and an unknown escape are refused. An empty pair of quotes is an empty word.
 */
int words_next(const char *start, const char **p, char **ret, TextError *ret_error);

/* All words of S as a NULL-terminated array for words_free(). Errors of words_next(). Returns their number. */
int words_split(const char *s, char ***ret, TextError *ret_error);
char **words_free(char **words);
DEFINE_CLEANUP(char **, words_free);

typedef struct CommandLine CommandLine;

/*
 * Compiles a Command= value. At least one word, the first of which (the program) is not empty; a bare ";" is
 * refused, for it separates nothing here. -EBADMSG with RET_ERROR, -ENOMEM.
 */
int command_line_compile(const char *s, CommandLine **ret, TextError *ret_error);
CommandLine *command_line_free(CommandLine *line);
DEFINE_CLEANUP(CommandLine *, command_line_free);

/* The templates of its words, for template_check_names() and the like. */
size_t command_line_size(const CommandLine *line);
const Template *command_line_word(const CommandLine *line, size_t i);
bool command_line_has_credential(const CommandLine *line);
/* Whether a word has a placeholder of the parameter NAME. */
bool command_line_uses(const CommandLine *line, const char *name);
/* As template_check_names(), for each word. */
int command_line_check_names(const CommandLine *line, const TemplateNames *names, TextError *ret_error);

/* The argument vector of one run, for words_free(). Errors of template_expand(). */
int command_line_expand(const CommandLine *line, const TemplateContext *context, char ***ret, char **ret_error);
