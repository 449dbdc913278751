select unnest(['all', 'free', 'bonus_offered', 'obstructed', 'unknown']) as handling
