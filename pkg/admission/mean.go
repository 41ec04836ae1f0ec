package admission

import "time"

// meanOf is how many values a mean has in view.
const meanOf = 100

// mean is that of the last values: each counts the less the more have come since.
type mean struct {
	value time.Duration
	n     int
}

func (m *mean) add(d time.Duration) {
	m.n = min(m.n+1, meanOf)
	m.value += (d - m.value) / time.Duration(m.n)
}
