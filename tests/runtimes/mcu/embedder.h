/* What the code that wasm2c generates needs around it. */
#ifndef EMBEDDER_H
#define EMBEDDER_H

#include "module.h"

/* The module's linear memory: one page. */
enum { PAGE = 65536 };
extern uint8_t linear[PAGE];

extern Z_m_instance_t module;

/* Make `module` a fresh instance. */
void embedder_start(void);

#endif
