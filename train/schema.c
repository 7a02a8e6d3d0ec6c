#include "train/keys.h"

#include "data/dataset.h"
#include "data/mix.h"
#include "model/model.h"
#include "train/loss.h"
#include "train/update.h"

#include <stddef.h>

const struct config_key *const train_schema[] = {model_keys,  data_keys, mix_keys,     train_keys,
                                                 update_keys, loss_keys, latency_keys, NULL};
