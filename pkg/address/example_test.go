package address_test

import (
	"fmt"

	"matriq/pkg/address"
)

func ExampleCanonical() {
	canonical, err := address.Canonical(" Somchai.J@KU.ac.th ")
	fmt.Println(canonical, err)
	_, err = address.Canonical(`"somchai"@ku.ac.th`)
	fmt.Println(err)
	// Output:
	// somchai.j@ku.ac.th <nil>
	// not an e-mail address: the part before the @ has a character that is not allowed
}
