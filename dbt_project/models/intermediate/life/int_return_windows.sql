select unnest([30, 90, 180, 365]) as window_days
