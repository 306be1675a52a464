nodes 1 2
spawn 3
campaign 1
run
change 1 ?3
run
change 1 +3
run
expect 3 voters 1,2,3 learners -
cut 2
propose 1 a
run
applied 3 a
