#!/bin/sh
# What a person does to a deployed stack, with the AWS CLI: stop it, start it again, ask for a round, sweep now.
#
# usage: stack.sh stop STACK
#        stack.sh start STACK
#        stack.sh round STACK
#        stack.sh sweep STACK FUNCTION    (FUNCTION as template.yaml names it)
set -eu

# functions puts the functions of the stack into list, a line each: the name in the template and the one in the account.
# Where the list cannot be read, all ends here, so that stop never claims to have stopped what it did not see.
functions() {
	list=$(aws cloudformation list-stack-resources --stack-name "$stack" --output text \
		--query "StackResourceSummaries[?ResourceType=='AWS::Lambda::Function'].[LogicalResourceId,PhysicalResourceId]")
	if test -z "$list"; then
		echo "stack $stack has no functions; name another with STACK=..." >&2
		exit 1
	fi
}

parameter() {
	aws cloudformation describe-stacks --stack-name "$stack" --output text \
		--query "Stacks[0].Parameters[?ParameterKey=='$1'].ParameterValue"
}

# each does something to every function. One that fails does not spare the others, and is an error in the end.
each() {
	echo "$list" | {
		status=0
		while read -r name function; do
			if "$1" "$name" "$function" >/dev/null; then
				echo "$1: $function"
			else
				echo "$1: $function FAILED" >&2
				status=1
			fi
		done
		exit $status
	}
}

# stop sets the reserved concurrency to 0. Lambda then hands what comes in to the failure destination, without a try:
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
# Rules and the schedule go on, because the scheduler has no call that only switches one off.
stop() { aws lambda put-function-concurrency --function-name "$2" --reserved-concurrent-executions 0; }

# start gives a function what the template gives it.
start() {
	case $1 in
	*OnEvent) reserved=$(parameter EventsReservedConcurrency) || return ;;
	*Sweep) reserved=$(parameter SweepReservedConcurrency) || return ;;
	*) reserved= ;;
	esac
	if test -n "$reserved"; then
		aws lambda put-function-concurrency --function-name "$2" --reserved-concurrent-executions "$reserved"
	else
		aws lambda delete-function-concurrency --function-name "$2"
	fi
}

# ask invokes a function and waits for its answer: that of a sweep is the summary of the run, that of the planner says
# whom it asked. The call is made once: a CLI that lost patience would otherwise ask again.
ask() {
	function=$(echo "$list" | awk -v name="$1" '$1 == name { print $2 }')
	answer=$(mktemp)
	trap 'rm -f "$answer"' EXIT
	failure=$(printf '{"source": "portcullis", "detail-type": "%s", "detail": {"by": "hand"}}' "$2" |
		AWS_MAX_ATTEMPTS=1 aws lambda invoke --function-name "${function:?is empty: stack $stack has no $1}" \
			--payload fileb:///dev/stdin --cli-read-timeout 910 --output text --query FunctionError "$answer")
	cat "$answer"
	echo
	test "$failure" = None
}

command=$1 stack=$2
functions
case $command in
stop)
	each stop
	echo "A run that had begun goes on to its end. What comes in from now on goes to the failure queue, untried, and rings."
	echo "A deployment may start the functions again."
	;;
start)
	each start
	echo "What came in meanwhile is not brought back: ask for a round (make round), then empty the failure queue."
	;;
round) ask Planner "Round Requested" ;;
sweep) ask "$3" "Sweep Requested" ;;
*) echo "stack.sh knows stop, start, round and sweep, not $command" >&2 && exit 2 ;;
esac
