"""Carries out layer jobs: gives them to workers, repeats them without unusable members, locks the folder, reports."""
