package api

import (
	"reflect"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// complete sets the schema version of a document and makes its nil lists and maps empty ones, so that readers never
// meet null where a list belongs.
func complete(document any) {
	v := reflect.ValueOf(document).Elem()
	if f := v.FieldByName("SchemaVersion"); f.IsValid() {
		f.SetInt(v1.SchemaVersion)
	}
	fill(v)
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			fill(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); v.Type().Field(i).IsExported() {
				fill(f)
			}
		}
	case reflect.Slice:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		if k := v.Type().Elem().Kind(); k == reflect.Uint8 || k == reflect.String {
			return
		}
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeMap(v.Type()))
		}
	default: // numbers, texts: nothing to fill
	}
}
