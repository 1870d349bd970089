"""The commands beside performing: doctor, and live controls of a running show."""
