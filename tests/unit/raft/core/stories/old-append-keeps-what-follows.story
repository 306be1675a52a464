# An append that arrives late and twice cuts nothing off.
nodes 1 2 3
campaign 1
run
cut 1 3
propose 1 a
settle 1
propose 1 b
settle 1
duplicate 1 2
deliver-first 1 2 append
deliver-first 1 2 append
expect 2 last 3
deliver-first 1 2 append
expect 2 last 3
log 2 1:- 1:a 1:b
