package email

import "errors"

// Lane is what a worker mails. Codes are urgent and confirmations are many, so
// that the two run apart.
type Lane string

const (
	// LaneCodes mails codes alone.
	LaneCodes Lane = "otp"
	// LaneConfirmations mails confirmations alone.
	LaneConfirmations Lane = "confirm"
	// LaneAll mails both.
	LaneAll Lane = "all"
)

var errLane = errors.New("write otp, confirm or all")

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *Lane) UnmarshalText(text []byte) error {
	switch lane := Lane(text); lane {
	case LaneCodes, LaneConfirmations, LaneAll:
		*l = lane
		return nil
	}
	return errLane
}

func (l Lane) codes() bool         { return l == LaneCodes || l == LaneAll }
func (l Lane) confirmations() bool { return l == LaneConfirmations || l == LaneAll }
