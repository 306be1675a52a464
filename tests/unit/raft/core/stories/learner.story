# A learner follows and does not count.
nodes 1
spawn 2
campaign 1
run
change 1 ?2
run
expect 1 voters 1 learners 2
propose 1 a
run
applied 2 a
stop 2
propose 1 b
run
applied 1 a b
