nodes 1 2 3
spawn 4
campaign 1
run
change 1 ?4
run
cut 2
cut 3
propose 1 a
run
expect 1 commit 2
expect 4 commit 2 last 3
tick 4 50
settle 4
expect 4 role follower
