package control

import (
	"errors"
	"fmt"
)

// Settings is what the deployment says to a function. Everything else is policy.
type Settings struct {
	Mode     Mode
	Policy   string // path of the policy file
	EventBus string // name of the stack's own bus
	Role     string // ARN of the function's own role, to know its own calls by
	LogLevel string
}

// ReadSettings reads the environment that template.yaml gives to a function:
// ENFORCEMENT_MODE (default monitor), POLICY_FILE (default /opt/policy.yaml, where
// the policy's layer is mounted), EVENT_BUS, ROLE_ARN and AWS_LAMBDA_LOG_LEVEL.
func ReadSettings(getenv func(string) string) (Settings, error) {
	s := Settings{
		Policy:   getenv("POLICY_FILE"),
		EventBus: getenv("EVENT_BUS"),
		Role:     getenv("ROLE_ARN"),
		LogLevel: getenv("AWS_LAMBDA_LOG_LEVEL"),
	}
	if s.Policy == "" {
		s.Policy = "/opt/policy.yaml"
	}
	if s.EventBus == "" {
		return Settings{}, errors.New("EVENT_BUS is not set: findings and outcomes would go nowhere; template.yaml sets it to the stack's own bus")
	}
	mode, err := ParseMode(getenv("ENFORCEMENT_MODE"))
	if err != nil {
		return Settings{}, fmt.Errorf("ENFORCEMENT_MODE: %w", err)
	}
	s.Mode = mode
	return s, nil
}
