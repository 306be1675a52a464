nodes 1 2 3
spawn 4 5
campaign 1
run
change 1 explicit +4 +5 -2 -3
run
expect 1 voters 1,4,5 outgoing 1,2,3
pass 3
expect 1 outgoing 1,2,3
cut 2
cut 3
propose 1 a
run
expect 4 last 3
expect 1 commit 2
heal
cut 4
cut 5
propose 1 b
run
expect 1 commit 3 last 4
heal
pass 3
expect 1 commit 4
change 1 -3
refused InvalidArgument
change 1 leave
run
expect 4 voters 1,4,5 outgoing -
