"""Run everything on one machine: PostgreSQL and a broker from wheels, web, worker and beat.

Standard library only, so that it can explain what is wrong before anything else imports.
Never for production: there, a process manager starts the pieces from environment variables.
"""
