# Two voters are replaced at once: both majorities agree, then the old half is left by itself.
nodes 1 2 3
spawn 4 5
campaign 1
run
change 1 +4 +5 -2 -3
run
expect 1 voters 1,4,5 outgoing -
expect 4 voters 1,4,5 outgoing -
stop 2
stop 3
propose 1 a
run
applied 5 a
