option pre-vote 0
nodes 1 2 3
campaign 1
run
change 1 -3
run
pass 2
expect 3 voters 1,2
tick 3 60
settle 3
expect 3 role follower term 1
