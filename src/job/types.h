/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Types of configuration keys that are compiled at load and expanded a run. */

#include "config/key.h"
#include "job/template.h"
#include "job/words.h"

#define TEMPLATE_LIST_MAX 256U /* values of one repeatable key */

typedef struct TemplateList {
        Template **templates;
        size_t n;
} TemplateList;

#define COMMAND_LIST_MAX 10000U

typedef struct CommandList {
        CommandLine **lines;
        size_t n;
} CommandList;

/* The row's DATA is the TemplateEscape. */
extern const ConfigType config_type_template;  /* Template * */
extern const ConfigType config_type_templates; /* TemplateList, repeatable */
extern const ConfigType config_type_command;   /* CommandLine * */
extern const ConfigType config_type_commands;  /* CommandList, repeatable */
extern const ConfigType config_type_parameter; /* struct ParameterSet *, repeatable */

/* Whether values of this type are expanded a run. */
bool config_type_is_expanded(const ConfigType *type);

/* Checks that all templates of STRUCTURE name what NAMES knows; problems are placed at the last item of their key. */
int config_section_check_templates(const ConfigSection *section, const void *structure, const ConfigItems *items,
                                   const TemplateNames *names, ConfigReport *report);
/* Calls VISIT for each template of STRUCTURE that ITEMS gave it, with its assignment, until it returns other than 0. */
typedef int (*ConfigTemplateVisit)(const ConfigItem *item, const Template *t, void *userdata);
int config_section_each_template(const ConfigSection *section, const void *structure, const ConfigItems *items,
                                 ConfigTemplateVisit visit, void *userdata);
/* A secret is put in somewhere in STRUCTURE. */
bool config_section_has_credential(const ConfigSection *section, const void *structure);
/* A time is put in somewhere in STRUCTURE in a format, and with no zone of its own. */
bool config_section_uses_job_zone(const ConfigSection *section, const void *structure);
