nodes 1 2 3
spawn 4
campaign 1
settle 1
run
hold-apply 1
change 1 +4
change 1 -3
refused Busy
run
change 1 -3
refused Busy
apply 1
change 1 -3
run
pass 2
expect 1 voters 1,2,4
