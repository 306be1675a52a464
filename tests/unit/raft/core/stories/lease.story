# The lease lasts election ticks less the margin (10 - 1) from the sending of a confirmed round.
nodes 1 2 3
campaign 1
run
lease 1 no
pass 1
lease 1 yes
cut 1
tick 1 8
lease 1 yes
tick 1
lease 1 no
