"""Prediction: trained models on photographs, how sure they are, drawings, and models in one file."""
