nodes 1 2 3
campaign 1
run
cut 3
propose 1 a
settle 1
duplicate 1 2
deliver 1 2 append
propose 1 b
deliver 1 2 append
run
log 2 1:- 1:a 1:b
