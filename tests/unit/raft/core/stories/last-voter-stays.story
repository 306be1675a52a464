nodes 1
campaign 1
run
change 1 -1
refused InvalidArgument
