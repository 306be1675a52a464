# A voter that is demoted votes in the old half until that is left.
nodes 1 2 3
campaign 1
run
change 1 explicit ?3
run
expect 1 voters 1,2 outgoing 1,2,3 learners -
change 1 leave
run
expect 3 voters 1,2 outgoing - learners 3
