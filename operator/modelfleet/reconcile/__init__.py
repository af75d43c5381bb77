"""Making the world as it should be: gather what is, plan what should be, execute the difference."""
