"""What a client of GraphQL sees: types, inputs, unions, scalars. No SQL, no logic."""
