# An append that arrives late and out of order cuts nothing off.
option check-quorum 0
nodes 1 2 3
campaign 1
run
cut 1 3
propose 1 a
settle 1
duplicate 1 2
propose 1 b
settle 1
deliver 1 2
lose 2 1
log 2 1:- 1:a 1:b
