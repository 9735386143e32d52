#pragma once

// Every update rule, in the order of their names: for the tables of the CPU, the kernels of CUDA,
// and the plans that launch them. Elements: each is updated by itself. Places: the same, and it
// knows its position. Tensor: the rule needs the whole of it.
#define TENSORKV_RULES(Elements, Places, Tensor)                                                  \
  Elements(adabelief, Adabelief) Elements(adadelta, Adadelta)                                     \
      Tensor(adafactorMatrix, AdafactorMatrix) Tensor(adafactorVector, AdafactorVector) Elements( \
          adagrad, Adagrad) Elements(adam, Adam) Elements(adamax, Adamax) Elements(adamw, Adamw)  \
          Elements(amsgrad, Amsgrad) Elements(dcasgd, Dcasgd) Elements(ftml, Ftml)                \
              Elements(ftrl, Ftrl) Tensor(groupAdagrad, GroupAdagrad) Tensor(lamb, Lamb)          \
                  Tensor(lans, Lans) Tensor(lars, Lars) Elements(lion, Lion) Tensor(muon, Muon)   \
                      Elements(nadam, Nadam) Elements(nag, Nag) Elements(radam, Radam)            \
                          Elements(rmspropCentered, RmspropCentered) Elements(rmsprop, Rmsprop)   \
                              Elements(scheduleFreeAdamw, ScheduleFreeAdamw) Elements(sgd, Sgd)   \
                                  Elements(sgdMomentum, SgdMomentum) Places(sgld, Sgld)           \
                                      Elements(sign, Sign) Elements(signum, Signum)
