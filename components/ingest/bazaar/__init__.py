"""Source `bazaar`: a simulated shop whose truth is known; for tests and demonstrations, never to claim quality."""
