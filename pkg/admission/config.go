package admission

import (
	"time"

	"matriq/pkg/service"
)

// Config are the settings of a gate.
type Config struct {
	Target time.Duration `env:"ADMISSION_TARGET" envDefault:"300ms" desc:"how long a step may take on the mean before people who have not begun are asked to come later; in a crowd they may take three times what they do among few, if that is less; the slowest take two to three times as long; 0: everybody is let in"`
	Floor  int           `env:"ADMISSION_FLOOR" envDefault:"24" desc:"nobody is asked to come later while fewer steps than this are under way in a replica"`
}

// Faults returns every fault.
func (c Config) Faults() (faults []error) {
	if c.Target < 0 {
		faults = append(faults, service.Fault{Setting: "ADMISSION_TARGET", Problem: "is less than 0", Cure: "write a duration such as 300ms, or 0 to let everybody in"})
	}
	if c.Floor < 1 {
		faults = append(faults, service.Fault{Setting: "ADMISSION_FLOOR", Problem: "is less than 1", Cure: "write a number of steps such as 24"})
	}
	return faults
}
